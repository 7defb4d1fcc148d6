-- settle(now, ttl, server_ttl, finishes, *settlements)
--
-- First so many that end an execution: key, fence, generation, final state, then `r`, `e` or nothing,
-- and its bytes. Then those after which it goes on: key, fence, generation, `w`, when, attempt, the
-- count of deliveries before this claim where it is released and nothing elsewhere, 1 for new
-- arguments, and those.
-- Answers each with one letter: applied, superseded, cancelled, lost. One that is sent again is
-- answered as it was.

local SETTLEMENTS, RELEASED_SINCE = 7, 8 -- of the fields that are read

local function reschedule(key, fields, when, attempt, released, changes_arguments, arguments)
    local delivery = released == '' and '0' or released
    local values = with_settlements(fields, { 'w', when, 'n', attempt, 'f', '', 'd', delivery })
    if changes_arguments == '1' then
        values[#values + 1], values[#values + 2] = 'a', arguments
    end
    local since = fields[RELEASED_SINCE]
    if released ~= '' and not since then
        values[#values + 1], values[#values + 2] = 'u', fields[FENCE]
    elseif released == '' and since then
        redis.call('HDEL', of_key(key), 'u')
    end
    drop(LEASED, member_of(key, fields))
    wait(key, when, values)
    changed(key)
end

local function answer_to(fields, generation, state)
    if fields[GENERATION] ~= generation or FINISHED[fields[STATE]] then
        return 's'
    end
    return state == 'w' and fields[CANCELLED] and 'c' or 'a'
end

local function settle(key, fence, generation, state, ...)
    local fields = read(key, 'l', 'u')
    if not fields or fields[FENCE] ~= fence then
        return remembered(fields and fields[SETTLEMENTS], fence .. state) or 'l'
    end
    local answer = answer_to(fields, generation, state)
    remember(fields, fields[SETTLEMENTS], fence .. state .. answer)
    if answer == 's' then
        end_superseded(key, fields)
    elseif answer == 'c' then
        finish(key, fields, 'x')
    elseif state == 'w' then
        reschedule(key, fields, ...)
    else
        local output, value = ...
        finish(key, fields, state, output ~= '' and output or nil, value)
    end
    return answer
end

local answers = {}
local rest = REST + 6 * finishes
for i = REST, rest - 1, 6 do
    answers[#answers + 1] = settle(unpack(ARGV, i, i + 5))
end
for i = rest, #ARGV, 9 do
    answers[#answers + 1] = settle(unpack(ARGV, i, i + 8))
end
return answered(answers)
