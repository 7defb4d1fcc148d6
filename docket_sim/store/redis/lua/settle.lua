-- settle(now, ttl, server_ttl, finishes, *settlements)
--
-- First so many that end an execution: key, fence, generation, final state, then `r`, `e` or nothing,
-- and its bytes. Then those after which it goes on: key, fence, generation, `w`, when, attempt, 1 to
-- keep the count of deliveries, 1 for new arguments, and those.
-- Answers each with one letter: applied, superseded, cancelled, lost.

local function reschedule(key, fields, when, attempt, same_delivery, changes_arguments, arguments)
    local values = { 'w', when, 'n', attempt, 'f', '' }
    if changes_arguments == '1' then
        values[#values + 1], values[#values + 2] = 'a', arguments
    end
    if same_delivery ~= '1' then
        values[#values + 1], values[#values + 2] = 'd', '0'
    end
    drop(LEASED, member_of(key, fields))
    wait(key, when, values)
    changed(key)
end

local function settle(key, fence, generation, state, ...)
    local fields = read(key)
    if not fields or fields[FENCE] ~= fence then
        return 'l'
    end
    if fields[GENERATION] ~= generation or FINISHED[fields[STATE]] then
        end_superseded(key, fields)
        return 's'
    end
    if state == 'w' then
        if fields[CANCELLED] then
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
local rest = REST + 6 * finishes
for i = REST, rest - 1, 6 do
    answers[#answers + 1] = settle(unpack(ARGV, i, i + 5))
end
for i = rest, #ARGV, 9 do
    answers[#answers + 1] = settle(unpack(ARGV, i, i + 8))
end
return answered(answers)
