-- What playlists of a task name and is not followed, summed up; absent = nothing.

ALTER TABLE task ADD COLUMN not_followed TEXT; -- mutable; a NotFollowed in JSON
