-- clear(now, ttl, server_ttl, limit)
--
-- Cancels up to so many executions that wait, those that are blocked last. Answers with what they
-- were: key and fields in turn.

limit = tonumber(limit)
local cleared = {}

local function cancel(set, member, state)
    local key = key_of(member)
    local fields = read(key)
    if not fields then
        drop(set, member)
    elseif is_entry(set, member, key, fields) and fields[STATE] == state then
        cleared[#cleared + 1] = key
        cleared[#cleared + 1] = redis.call('HGETALL', of_key(key))
        finish(key, fields, 'x')
    end
end

for _, member in ipairs(redis.call('ZRANGE', DUE, 0, limit - 1)) do
    cancel(DUE, member, 'w')
end
if #cleared < 2 * limit then
    for _, member in ipairs(redis.call('ZRANGE', LEASED, 0, -1)) do
        if #cleared < 2 * limit then
            cancel(LEASED, member, 'b')
        end
    end
end
return answered(cleared)
