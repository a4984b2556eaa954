-- wrk: asks for COUNT distinct resources once each and prints the seconds it took.
-- Arguments: COUNT PREFIX SUFFIX. wrk itself always runs for its whole duration, so the caller
-- reads the line and ends it.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } stamp;
  int clock_gettime(int clock, stamp *now);
]]

local asked, answered, count, prefix, suffix, begin = 0, 0, 0, "", "", 0

local function now()
  local stamp = ffi.new("stamp")
  ffi.C.clock_gettime(1, stamp)
  return tonumber(stamp.seconds) + tonumber(stamp.nanoseconds) / 1e9
end

function init(args)
  count, prefix, suffix = tonumber(args[1]), args[2], args[3] or ""
end

function request()
  if asked == 0 then begin = now() end
  local n = asked % count
  asked = asked + 1
  return wrk.format("GET", prefix .. n .. suffix)
end

function response(status)
  answered = answered + 1
  if status ~= 200 then io.stderr:write("status " .. status .. "\n") end
  if answered == count then
    io.stderr:write(string.format("took %.6f\n", now() - begin))
    wrk.thread:stop()
  end
end
