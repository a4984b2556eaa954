-- Signed calls that are taken once, whose timestamps are good for minutes. A table of their own, so
-- that they are forgotten early and without a look at those that are remembered for hours.

CREATE TABLE taken_call_minutes (
    -- immutable
    time        INTEGER NOT NULL,     -- seconds since 1970, as the caller signed them
    call        BLOB NOT NULL,        -- 16 bytes that tell it from others of that second
    PRIMARY KEY (time, call)
) STRICT, WITHOUT ROWID;
