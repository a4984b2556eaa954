-- Signed calls that are taken once, for as long as their timestamps are good.

CREATE TABLE taken_call (
    -- immutable
    time        INTEGER NOT NULL,     -- seconds since 1970, as the caller signed them
    call        BLOB NOT NULL,        -- 16 bytes that tell it from others of that second
    PRIMARY KEY (time, call)
) STRICT, WITHOUT ROWID;
