-- What all scripts share. KEYS[1] is the prefix of a docket's keys; it holds their hash tag.
-- Each script is sent with what it uses of this, found by name: see prelude.py.
--
-- x:KEY    a hash, one execution:   s state    t task      a arguments  w due time   n attempt
--                                   g generation           p, m cause's key and attempt
--                                   d delivery k worker    b begun      z ended      r result
--                                   e error    c cancelled while running             f fence
--                                   q ticket   o forget at        l how its last claims were settled
--                                   u the fence of the first claim since which all were released
-- due      what waits, by due time             leased   what is claimed, by the lease's expiry
-- void     leases on attempts whose replacement has ended already, by their expiry
-- kept     keys of ended executions, by when they are forgotten; and, led by a byte that is in no
--          key, how claims were settled of which no record is kept for long
-- meta     c the last fence or ticket   b the bell: no listener need be told of what is due later
--
-- Times are microseconds since 1970, states are one letter (see wire.py). The members of due, leased
-- and void are a ticket and the key, so that what is due at one instant goes out as it came in.

local PREFIX = KEYS[1]
local DUE, LEASED, VOID = PREFIX .. 'due', PREFIX .. 'leased', PREFIX .. 'void'
local KEPT, META = PREFIX .. 'kept', PREFIX .. 'meta'
local TICKET = 13 -- digits
local FINISHED = { c = true, f = true, x = true }
local ASIDE_SECONDS = 604800 -- a week

-- Whether a command was refused for this reason. Others are not for a script to deal with: a server
-- whose memory is full, or that has lost its replicas, will work again.
local function is_refused(answer, reason)
    local why = type(answer) == 'table' and answer.err
    return why and string.find(tostring(why), reason, 1, true) -- fakeredis has bytes of Python there
end

-- Asked for first, since what a script has done before an error stays done.
local SETS = { DUE, LEASED, VOID, KEPT }
for i = 1, 4 do
    if is_refused(redis.pcall('ZCARD', SETS[i]), 'WRONGTYPE ') then
        return { 'mend' }
    end
end

if now == '' then
    local time = redis.call('TIME')
    now = time[1] .. string.sub('00000' .. time[2], -6)
end
local NOW = tonumber(now)

local function whole(number)
    return string.format('%.0f', number)
end

-- Whole numbers as Python reads them; tonumber() also takes 0x10, 1e3 and inf.
local function is_time(text)
    return text and #text < 19 and string.find(text, '^%-?%d+$')
end

local function is_count(text)
    return text and #text < 16 and string.find(text, '^%d+$')
end

local function of_key(key)
    return PREFIX .. 'x:' .. key
end

local function key_of(member)
    return string.sub(member, TICKET + 1)
end

-- What a foreign hand has left in place of an execution is kept beside, for a person to look at. Keys,
-- or false for what is the docket's own, and reasons in turn.
local aside = {}

local function report_aside(key, reason)
    aside[#aside + 1] = key
    aside[#aside + 1] = reason
end

local function on_meta(command, ...)
    local answer = redis.pcall(command, META, ...)
    if not is_refused(answer, '') then
        return answer
    end
    if is_refused(answer, 'WRONGTYPE ') or is_refused(answer, 'not an integer') then
        report_aside(false, 'it was of another type, or held no number, and begins anew')
        redis.call('RENAME', META, PREFIX .. 'aside-meta')
        redis.call('EXPIRE', PREFIX .. 'aside-meta', ASIDE_SECONDS)
        redis.call('HSET', META, 'c', whole(math.floor(NOW / 1000))) -- fences that were not before
        return redis.call(command, META, ...)
    end
    return redis.call(command, META, ...) -- refused, and so the script is
end

-- Fences and tickets are numbers that no other claim or entry of this docket has.
local next_number, last_number = 1, 0

local function reserve(count)
    last_number = on_meta('HINCRBY', 'c', count)
    next_number = last_number - count + 1
end

local function take_number()
    if next_number > last_number then
        reserve(1)
    end
    next_number = next_number + 1
    return next_number - 1
end

-- Changes of the sorted sets are noted as set, member and score in turn, and made together at the end:
-- a call costs more than what it does. What was noted last of a member counts.

local noted = {}

local function put(set, score, member)
    local last = #noted
    noted[last + 1], noted[last + 2], noted[last + 3] = set, member, score
end

local function drop(set, member)
    put(set, false, member)
end

local function in_groups(verb, set, values)
    for i = 1, #values, 200 do
        redis.call(verb, set, unpack(values, i, math.min(i + 199, #values)))
    end
end

local function make_many_changes(set)
    local members, scores = {}, {}
    for i = 1, #noted, 3 do
        if noted[i] == set then
            local member = noted[i + 1]
            if scores[member] == nil then
                members[#members + 1] = member
            end
            scores[member] = noted[i + 2]
        end
    end
    local gone, placed = {}, {}
    for _, member in ipairs(members) do
        if scores[member] then
            placed[#placed + 1] = scores[member]
            placed[#placed + 1] = member
        else
            gone[#gone + 1] = member
        end
    end
    in_groups('ZREM', set, gone)
    in_groups('ZADD', set, placed)
end

local function make_changes()
    local count = #noted
    if count == 0 then
        return
    end
    if count > 9 then
        for i = 1, 4 do
            make_many_changes(SETS[i])
        end
    else -- to sort them would cost more than a call for each
        for i = 1, count, 3 do
            if noted[i + 2] then
                redis.call('ZADD', noted[i], noted[i + 2], noted[i + 1])
            else
                redis.call('ZREM', noted[i], noted[i + 1])
            end
        end
    end
    noted = {}
end

-- Telling those who listen and watch.

local bell = nil
local told_finished = false
local keeps = false
local notices = 0

-- Listeners that were told of an instant look at the store then, and arm the bell anew.
local function arm(instant)
    bell = instant
    on_meta('HSET', 'b', instant == math.huge and 'inf' or whole(instant))
end

local function tell(notice)
    notices = notices + 1
    redis.call('PUBLISH', PREFIX .. 'bell', notice)
end

local function ring(instant, but_not)
    if bell == nil then
        bell = tonumber(on_meta('HGET', 'b') or 'inf') or math.huge
    end
    if instant < bell then
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

local function set_aside(key, reason)
    local place = PREFIX .. 'aside:' .. key
    if redis.call('EXISTS', of_key(key)) == 1 then
        redis.call('RENAME', of_key(key), place)
        redis.call('EXPIRE', place, ASIDE_SECONDS)
    end
    drop(KEPT, key)
    report_aside(key, reason)
end

local STATE, FORGET_AT, FENCE, TICKET_OF, GENERATION, CANCELLED = 1, 2, 3, 4, 5, 6
local HOMES = { w = DUE, r = LEASED, b = LEASED } -- where an execution stands, by its state

-- The state of an execution, when it is to be forgotten, and its fields f, q, g, c and those asked
-- for, with false for what it has not; or false when there is none, or none that can be read.
local function read(key, ...)
    local fields = redis.pcall('HMGET', of_key(key), 's', 'o', 'f', 'q', 'g', 'c', ...)
    if fields.err then
        if not is_refused(fields, 'WRONGTYPE ') then
            redis.call('HMGET', of_key(key), 's') -- refused, and so the script is
        end
        set_aside(key, 'its key holds something else than a hash')
        return false
    end
    local state = fields[STATE]
    if not HOMES[state] and not FINISHED[state] then
        if state or fields[GENERATION] or fields[TICKET_OF] then
            set_aside(key, 'it is in no state that there is')
        end
        return false
    end
    if FINISHED[state] and fields[FORGET_AT] and (tonumber(fields[FORGET_AT]) or 0) <= NOW then
        redis.call('DEL', of_key(key)) -- its time is up
        drop(KEPT, key)
        return false
    end
    if fields[FENCE] == '' then
        fields[FENCE] = false
    end
    if fields[CANCELLED] == '' then
        fields[CANCELLED] = false
    end
    return fields
end

local function member_of(key, fields)
    return (fields[TICKET_OF] or '') .. key
end

-- What read() answers, with the fields of a call; and whether a worker can use them.
local TASK, ARGUMENTS, WHEN, ATTEMPT, CAUSE, CAUSE_ATTEMPT, DELIVERY = 7, 8, 9, 10, 11, 12, 13
local RELEASED = 14

local function read_call(key)
    return read(key, 't', 'a', 'w', 'n', 'p', 'm', 'd', 'u')
end

local function is_call(fields)
    return fields[TASK] and fields[ARGUMENTS] and is_time(fields[WHEN])
        and is_count(fields[GENERATION]) and is_count(fields[ATTEMPT] or '1')
        and is_count(fields[DELIVERY] or '0')
        and (not fields[CAUSE] or is_count(fields[CAUSE_ATTEMPT]))
end

local LEASE = 60000000 -- where its end is unknown: in a minute, a worker that lives has renewed it

local function give_ticket(key, fields, ticket)
    fields[TICKET_OF] = ticket
    redis.call('HSET', of_key(key), 'q', ticket)
end

-- As member_of(), for a new entry: with a ticket by which its key is found, whatever a foreign hand has left.
local function sound_member_of(key, fields)
    if #(fields[TICKET_OF] or '') ~= TICKET then
        give_ticket(key, fields, string.format('%013.0f', take_number()))
    end
    return member_of(key, fields)
end

-- Whether `member` of `set` is the entry of its execution, or one that a foreign hand has left: that
-- is dropped. An execution without an entry would never end.
local function is_entry(set, member, key, fields)
    local state = fields[STATE]
    local home = HOMES[state] or fields[FENCE] and VOID
    local own = member_of(key, fields)
    if set == home and member == own then
        return true
    end
    if set == home and home == VOID and not (#own == #member and redis.call('ZSCORE', VOID, own)) then
        give_ticket(key, fields, string.sub(member, 1, TICKET)) -- its entry knows it better
        return true
    end
    drop(set, member)
    make_changes()
    if HOMES[state] and not redis.call('ZSCORE', home, own) then
        set_aside(key, 'it has no entry where one of its state has it')
    end
    return false
end

local REMEMBERED = 60000000 -- for a minute, a settlement is known to whoever sends it again
local NO_KEY = '\255' -- keys are UTF-8, in which this byte does not occur

local function forget(limit)
    for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEPT, '-inf', now, 'LIMIT', 0, limit)) do
        if string.sub(key, 1, 1) ~= NO_KEY then
            redis.call('DEL', of_key(key))
        end
        drop(KEPT, key)
    end
end

-- What a worker is answered that sends a settlement again, since it has not seen the answer: each is
-- known by its claim's fence and the state that it asks for.

local function remember(fields, before, settlement)
    local last_three = string.match(before or '', ',[^,]*,[^,]*,[^,]*$') or before or ''
    fields.settlement, fields.settlements = settlement, last_three .. ',' .. settlement
end

local function remembered(before, settlement)
    local answer = string.match(before or '', ',' .. settlement .. '([asc])')
    if answer then
        return answer
    end
    make_changes() -- it may be known since a moment ago
    for _, letter in ipairs({ 'a', 's', 'c' }) do
        local until_when = redis.call('ZSCORE', KEPT, NO_KEY .. settlement .. letter)
        if until_when and tonumber(until_when) > NOW then
            return letter
        end
    end
end

-- Moves of one execution; `fields` are what was read of it. What is to be written besides is in
-- `values`, so that one call writes all.

local function with_settlements(fields, values)
    if fields.settlements then
        values[#values + 1], values[#values + 2] = 'l', fields.settlements
    end
    return values
end

local function wait(key, when, values)
    local ticket = string.format('%013.0f', take_number())
    redis.call('HSET', of_key(key), 's', 'w', 'q', ticket, unpack(values))
    put(DUE, when, ticket .. key)
    ring(tonumber(when))
end

local forgotten = nil -- when those are forgotten that end now; turning numbers into text takes long

local function keep(key, fields, values)
    local place = of_key(key)
    keeps = true
    with_settlements(fields, values)
    if fields.settlement and ttl ~= '' and tonumber(ttl) < REMEMBERED then
        put(KEPT, whole(NOW + REMEMBERED), NO_KEY .. fields.settlement)
    end
    if not forgotten then
        forgotten = (ttl == '' or ttl == '0') and '+inf' or whole(NOW + ttl)
    end
    if forgotten ~= '+inf' then
        values[#values + 1], values[#values + 2] = 'o', forgotten
    end
    redis.call('HSET', place, unpack(values))
    changed(key)
    if ttl == '0' then
        redis.call('DEL', place)
        return
    end
    put(KEPT, forgotten, key)
    if ttl ~= '' then
        redis.call('PEXPIRE', place, server_ttl)
    end
end

-- Where a lease stands: void when the execution has ended before the attempt that it replaced.
local function leases_of(fields)
    return FINISHED[fields[STATE]] and VOID or LEASED
end

local function finish(key, fields, state, output, value)
    local values = { 's', state, 'z', now }
    if output then
        values[5], values[6] = output, value
    end
    told_finished = true
    if fields[STATE] == 'b' then -- the attempt that was replaced still holds the lease
        local leased, member = member_of(key, fields), sound_member_of(key, fields)
        make_changes()
        put(VOID, redis.call('ZSCORE', LEASED, leased) or whole(NOW + LEASE), member)
        drop(LEASED, leased)
        redis.call('HSET', of_key(key), unpack(values))
        changed(key)
        return
    end
    if fields[STATE] == 'r' then
        drop(LEASED, member_of(key, fields))
        values[#values + 1], values[#values + 2] = 'f', ''
        values[#values + 1], values[#values + 2] = 'c', ''
    else
        drop(DUE, member_of(key, fields))
    end
    keep(key, fields, values)
end

-- The attempt of an older generation is over: its replacement, if any, may run.
local function end_superseded(key, fields)
    drop(leases_of(fields), member_of(key, fields))
    if fields[STATE] == 'b' then
        local when = redis.call('HGET', of_key(key), 'w')
        local values = with_settlements(fields, { 'f', '', 'c', '' })
        wait(key, is_time(when) and when or now, values)
        changed(key)
    else
        keep(key, fields, { 'f', '', 'c', '' })
    end
end

-- Make the changes, tell who has to be told, and answer.
local function answered(...)
    make_changes()
    if ttl ~= '' and keeps then
        redis.call('PEXPIRE', KEPT, whole(math.max(tonumber(server_ttl), REMEMBERED / 1000)))
    end
    if told_finished and outstanding() == 0 then
        tell('d')
    end
    return { now, notices, aside, ... }
end
