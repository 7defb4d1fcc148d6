-- What all scripts share. KEYS[1] is the prefix of a docket's keys; it holds their hash tag.
--
-- x:KEY    a hash, one execution:   s state    t task      a arguments  w due time   n attempt
--                                   g generation           p, m cause's key and attempt
--                                   d delivery k worker    b begun      z ended      r result
--                                   e error    c cancelled while running             f fence
--                                   q ticket   o forget at
-- due      what waits, by due time             leased   what is claimed, by the lease's expiry
-- void     leases on attempts whose replacement has ended already, by their expiry
-- kept     keys of ended executions, by when they are forgotten
-- meta     c the last fence or ticket   b the bell: no listener need be told of what is due later
--
-- Times are microseconds since 1970, states are one letter (see wire.py). The members of due, leased
-- and void are a ticket and the key, so that what is due at one instant goes out as it came in.

local PREFIX = KEYS[1]
local DUE, LEASED, VOID = PREFIX .. 'due', PREFIX .. 'leased', PREFIX .. 'void'
local KEPT, META = PREFIX .. 'kept', PREFIX .. 'meta'
local TICKET = 13 -- digits
local FINISHED = { c = true, f = true, x = true }
local ASIDE_SECONDS = 7 * 24 * 3600

if now == '' then
    local time = redis.call('TIME')
    now = string.format('%.0f', time[1] * 1000000 + time[2])
end
local NOW = tonumber(now)

local function whole(number)
    return string.format('%.0f', number)
end

local function of_key(key)
    return PREFIX .. 'x:' .. key
end

local function key_of(member)
    return string.sub(member, TICKET + 1)
end

-- Fences and tickets are numbers that no other claim or entry of this docket has.
local next_number, last_number = 1, 0

local function reserve(count)
    last_number = redis.call('HINCRBY', META, 'c', count)
    next_number = last_number - count + 1
end

local function take_number()
    if next_number > last_number then
        reserve(1)
    end
    next_number = next_number + 1
    return next_number - 1
end

local function new_ticket()
    return string.format('%013.0f', take_number())
end

-- Telling those who listen and watch.

local bell = nil
local told_finished = false
local notices = 0

local function armed_until()
    if bell == nil then
        bell = tonumber(redis.call('HGET', META, 'b') or 'inf') or math.huge
    end
    return bell
end

-- Listeners that were told of an instant look at the store then, and arm the bell anew.
local function arm(instant)
    bell = instant
    redis.call('HSET', META, 'b', instant == math.huge and 'inf' or whole(instant))
end

local function tell(notice)
    notices = notices + 1
    redis.call('PUBLISH', PREFIX .. 'bell', notice)
end

local function ring(instant, but_not)
    if instant < armed_until() then
        arm(instant)
        tell('w' .. whole(instant) .. ' ' .. (but_not or ''))
    end
end

local watched = nil

-- Those who watch some key are subscribed to one channel more, so that one question is enough.
local function changed(key)
    if watched == nil then
        watched = redis.call('PUBSUB', 'NUMSUB', PREFIX .. 'watchers')[2] > 0
    end
    if not watched then
        return
    end
    local parts = {}
    for _, part in ipairs(redis.call('HGETALL', of_key(key))) do
        parts[#parts + 1] = #part .. ':' .. part
    end
    notices = notices + 1
    redis.call('PUBLISH', PREFIX .. 'w:' .. key, table.concat(parts))
end

local function outstanding()
    return redis.call('ZCARD', DUE) + redis.call('ZCARD', LEASED)
end

local function tell_if_drained()
    if told_finished and outstanding() == 0 then
        tell('d')
    end
end

-- What a foreign hand has left in place of an execution is kept beside, for a person to look at.
local aside = {}

local function set_aside(key, reason)
    local place = PREFIX .. 'aside:' .. key
    if redis.call('EXISTS', of_key(key)) == 1 then
        redis.call('RENAME', of_key(key), place)
        redis.call('EXPIRE', place, ASIDE_SECONDS)
    end
    redis.call('ZREM', KEPT, key)
    aside[#aside + 1] = key
    aside[#aside + 1] = reason
end

-- The fields of an execution, or false when there is none, or none that can be read.
local function read(key, ...)
    local fields = redis.pcall('HMGET', of_key(key), 's', 'o', ...)
    if fields.err then
        set_aside(key, 'its key holds something else than a hash')
        return false
    end
    local state = fields[1]
    if not state then
        return false
    end
    if FINISHED[state] and fields[2] and (tonumber(fields[2]) or 0) <= NOW then
        redis.call('DEL', of_key(key)) -- its time is up
        redis.call('ZREM', KEPT, key)
        return false
    end
    return fields
end

-- Moves of one execution. `fields` are those of read(key, 'f', 'q', 'g', 'c').

local function forget(limit)
    local keys = redis.call('ZRANGEBYSCORE', KEPT, '-inf', now, 'LIMIT', 0, limit)
    for _, key in ipairs(keys) do
        redis.call('DEL', of_key(key))
    end
    if #keys > 0 then
        redis.call('ZREM', KEPT, unpack(keys))
    end
end

local function keep(key)
    if ttl == '' then
        redis.call('ZADD', KEPT, '+inf', key)
    elseif tonumber(ttl) <= 0 then
        redis.call('DEL', of_key(key))
    else
        local forgotten = whole(NOW + tonumber(ttl))
        redis.call('HSET', of_key(key), 'o', forgotten)
        redis.call('ZADD', KEPT, forgotten, key)
        redis.call('PEXPIRE', of_key(key), server_ttl)
        redis.call('PEXPIRE', KEPT, server_ttl)
    end
end

local function wait(key, when)
    local ticket = new_ticket()
    redis.call('HSET', of_key(key), 's', 'w', 'q', ticket)
    redis.call('ZADD', DUE, when, ticket .. key)
    ring(tonumber(when))
end

local function member_of(key, fields)
    return (fields[4] or '') .. key
end

-- The lease is over; the key is in none of the sets afterwards.
local function let_go(key, fields)
    local member = member_of(key, fields)
    if redis.call('ZREM', LEASED, member) == 0 then
        redis.call('ZREM', VOID, member)
    end
    redis.call('HDEL', of_key(key), 'f', 'c')
end

local function finish(key, fields, state, output, value)
    if fields[1] == 'w' then
        redis.call('ZREM', DUE, member_of(key, fields))
    elseif fields[1] == 'r' then
        let_go(key, fields)
    end
    redis.call('HSET', of_key(key), 's', state, 'z', now)
    if output then
        redis.call('HSET', of_key(key), output, value)
    end
    changed(key)
    if fields[1] == 'b' then -- the attempt that was replaced still holds the lease
        local member = member_of(key, fields)
        redis.call('ZADD', VOID, redis.call('ZSCORE', LEASED, member), member)
        redis.call('ZREM', LEASED, member)
    else
        keep(key)
    end
    told_finished = true
end

-- The attempt of an older generation is over: its replacement, if any, may run.
local function end_superseded(key, fields)
    let_go(key, fields)
    if fields[1] == 'b' then
        wait(key, redis.call('HGET', of_key(key), 'w') or now)
        changed(key)
    else
        keep(key)
    end
end
