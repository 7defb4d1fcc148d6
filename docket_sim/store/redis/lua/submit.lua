-- submit(now, ttl, server_ttl, sent, *calls)
--
-- Each call: key, task, arguments, when, attempt, cause's key, cause's attempt, 1 to replace.
-- Answers each with {generation, state, when, fields where the key was known}, or with the fields of
-- what has the key already.

local function take_place(key, fields)
    if fields[1] == 'w' then
        redis.call('ZREM', DUE, member_of(key, fields))
    elseif FINISHED[fields[1]] then
        redis.call('ZREM', KEPT, key)
        redis.call('PERSIST', of_key(key))
        if fields[3] then -- cancelled while blocked: the lease is that of an attempt before it
            local member = member_of(key, fields)
            redis.call('ZADD', LEASED, redis.call('ZSCORE', VOID, member), member)
            redis.call('ZREM', VOID, member)
        end
    end
    redis.call('HDEL', of_key(key), 'n', 'p', 'm', 'd', 'z', 'r', 'e', 'o')
end

-- A due time that had come when the call was sent has come, whatever the clock of its sender says.
local function due_time(when)
    if sent ~= '' and tonumber(when) <= tonumber(sent) then
        return whole(NOW - (tonumber(sent) - tonumber(when)))
    end
    return when
end

local function submit(key, task, arguments, when, attempt, cause, cause_attempt, replace)
    local fields = read(key, 'f', 'q', 'g', 'c')
    if fields and not FINISHED[fields[1]] and replace ~= '1' then
        return redis.call('HGETALL', of_key(key))
    end
    local generation = 1
    if fields then
        generation = (tonumber(fields[5]) or 0) + 1
        take_place(key, fields)
    end
    when = due_time(when)
    local values = { 't', task, 'a', arguments, 'w', when, 'g', whole(generation) }
    local function add(name, value)
        values[#values + 1] = name
        values[#values + 1] = value
    end
    if attempt ~= '1' then
        add('n', attempt)
    end
    if cause ~= '' then
        add('p', cause)
        add('m', cause_attempt)
    end
    local blocked = fields and fields[3]
    local ticket
    if blocked then
        add('s', 'b')
    else
        ticket = new_ticket()
        add('s', 'w')
        add('q', ticket)
    end
    redis.call('HSET', of_key(key), unpack(values))
    if not blocked then
        redis.call('ZADD', DUE, when, ticket .. key)
        ring(tonumber(when))
    end
    changed(key)
    local now_known = fields and redis.call('HGETALL', of_key(key)) or {}
    return { generation, blocked and 'b' or 'w', when, now_known }
end

local answers = {}
local count = (#ARGV - REST + 1) / 8
reserve(count)
for i = REST, #ARGV, 8 do
    answers[#answers + 1] = submit(unpack(ARGV, i, i + 7))
end
return { now, notices, aside, answers }
