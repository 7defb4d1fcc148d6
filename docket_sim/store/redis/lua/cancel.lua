-- cancel(now, ttl, server_ttl, key)
--
-- Answers with the fields of what the execution was before.

local fields = read(key)
local before = {}
if fields then
    before = redis.call('HGETALL', of_key(key))
    if not FINISHED[fields[STATE]] then
        if fields[FENCE] then
            redis.call('HSET', of_key(key), 'c', '1')
            tell('c' .. key)
        end
        if fields[STATE] ~= 'r' then
            finish(key, fields, 'x')
        end
    end
end
return answered(before)
