-- submit(now, ttl, server_ttl, sent, *calls)
--
-- Each call: key, task, arguments, when, attempt, cause's key, cause's attempt, 1 to replace.
-- Answers each with {generation, state, when, fields where the key was known}, or with the fields of
-- what has the key already.

local function take_place(key, fields)
    if fields[STATE] == 'w' then
        drop(DUE, member_of(key, fields))
    elseif FINISHED[fields[STATE]] then
        drop(KEPT, key)
        redis.call('PERSIST', of_key(key))
        if fields[FENCE] then -- cancelled while blocked: the lease is that of an attempt before it
            local void, member = member_of(key, fields), sound_member_of(key, fields)
            make_changes()
            put(LEASED, redis.call('ZSCORE', VOID, void) or whole(NOW + LEASE), member)
            drop(VOID, void)
        end
    end
    redis.call('HDEL', of_key(key), 'n', 'p', 'm', 'd', 'u', 'z', 'r', 'e', 'o')
end

-- A due time that had come when the call was sent has come, whatever the clock of its sender says.
local SENT = tonumber(sent)
local function due_time(when)
    local since = SENT and SENT - when
    return since and since >= 0 and whole(NOW - since) or when
end

local function submit(key, task, arguments, when, attempt, cause, cause_attempt, replace)
    local fields = read(key)
    if fields and not FINISHED[fields[STATE]] and replace ~= '1' then
        if is_call(read_call(key)) then
            return redis.call('HGETALL', of_key(key))
        end
        drop(HOMES[fields[STATE]], member_of(key, fields))
        set_aside(key, 'fields are missing, or are no numbers')
        fields = false
    end
    local generation = 1
    if fields then
        generation = (is_count(fields[GENERATION]) and tonumber(fields[GENERATION]) or 0) + 1
        take_place(key, fields)
    else
        drop(KEPT, key) -- the server may have expired the execution before its entry there
    end
    when = due_time(when)
    local values = { 't', task, 'a', arguments, 'w', when, 'g', generation == 1 and '1' or whole(generation) }
    if attempt ~= '1' then
        values[9], values[10] = 'n', attempt
    end
    if cause ~= '' then
        local last = #values
        values[last + 1], values[last + 2] = 'p', cause
        values[last + 3], values[last + 4] = 'm', cause_attempt
    end
    local state = fields and fields[FENCE] and 'b' or 'w'
    if state == 'b' then
        redis.call('HSET', of_key(key), 's', 'b', unpack(values))
    else
        wait(key, when, values)
    end
    changed(key)
    return { generation, state, when, fields and redis.call('HGETALL', of_key(key)) or {} }
end

local answers = {}
reserve((#ARGV - REST + 1) / 8)
for i = REST, #ARGV, 8 do
    answers[#answers + 1] = submit(unpack(ARGV, i, i + 7))
end
return answered(answers)
