-- wrk: asks for COUNT distinct resources once each, then stops. Arguments: COUNT PREFIX SUFFIX
local asked, answered, count, prefix, suffix = 0, 0, 0, "", ""

function init(args)
  count, prefix, suffix = tonumber(args[1]), args[2], args[3] or ""
end

function request()
  local n = asked % count
  asked = asked + 1
  return wrk.format("GET", prefix .. n .. suffix)
end

function response(status)
  answered = answered + 1
  if status ~= 200 then io.stderr:write("status " .. status .. "\n") end
  if answered >= count then wrk.thread:stop() end
end
