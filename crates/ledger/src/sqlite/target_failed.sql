-- Of the targets that failed, those that an origin status explains and the others, apart: the few of
-- one kind are found among millions of the other.

CREATE INDEX target_failed
    ON target (account, (substr(outcome, 1, 14) = 'origin_status:'), task DESC) WHERE progress = 2;
