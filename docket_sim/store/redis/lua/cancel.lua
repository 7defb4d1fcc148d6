-- cancel(now, ttl, server_ttl, key)
--
-- Answers with the fields of what the execution was before.

local fields = read(key, 'f', 'q', 'g', 'c')
local before = {}
if fields then
    before = redis.call('HGETALL', of_key(key))
    if not FINISHED[fields[1]] then
        if fields[3] then
            redis.call('HSET', of_key(key), 'c', '1')
            tell('c' .. key)
        end
        if fields[1] ~= 'r' then
            finish(key, fields, 'x')
        end
        tell_if_drained()
    end
end
return { now, notices, aside, before }
