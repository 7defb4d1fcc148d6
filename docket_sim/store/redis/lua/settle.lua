-- settle(now, ttl, server_ttl, *settlements)
--
-- Each settlement: key, fence, generation, then either a final state, `r`, `e` or nothing, and its
-- bytes, or `w`, when, attempt, 1 to keep the count of deliveries, 1 for new arguments, and those.
-- Answers each with one letter: applied, superseded, cancelled, lost.

local function reschedule(key, fields, when, attempt, same_delivery, changes_arguments, arguments)
    let_go(key, fields)
    redis.call('HSET', of_key(key), 'w', when, 'n', attempt)
    if changes_arguments == '1' then
        redis.call('HSET', of_key(key), 'a', arguments)
    end
    if same_delivery ~= '1' then
        redis.call('HDEL', of_key(key), 'd')
    end
    wait(key, when)
    changed(key)
end

local function settle(key, fence, generation, state, ...)
    local fields = read(key, 'f', 'q', 'g', 'c')
    if not fields or fields[3] ~= fence then
        return 'l'
    end
    if fields[5] ~= generation or FINISHED[fields[1]] then
        end_superseded(key, fields)
        return 's'
    end
    if state == 'w' then
        if fields[6] then
            finish(key, fields, 'x')
            return 'c'
        end
        reschedule(key, fields, ...)
        return 'a'
    end
    local output, value = ...
    finish(key, fields, state, output ~= '' and output or nil, value)
    return 'a'
end

local answers = {}
for i = REST, #ARGV, 9 do
    answers[#answers + 1] = settle(unpack(ARGV, i, i + 8))
end
tell_if_drained()
return { now, notices, aside, answers }
