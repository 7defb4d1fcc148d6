-- claim(now, ttl, server_ttl, worker, limit, lease)
--
-- Answers with what was claimed, the earliest due time and expiry, and how much is outstanding.

limit = tonumber(limit)
local expiry = NOW + tonumber(lease)
local claims = {}
local taken_from_due, leased = {}, {}

-- End what nobody is to take over, and return the rest: {when, fence, member}, the longest due first.
local function expired()
    local found = {}
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', LEASED, '-inf', now, 'LIMIT', 0, 1000)) do
        local key = key_of(member)
        local fields = read(key, 'f', 'q', 'g', 'c', 'w')
        if not fields then
            redis.call('ZREM', LEASED, member)
        elseif fields[1] == 'b' then
            end_superseded(key, fields)
        elseif fields[6] then
            finish(key, fields, 'x')
        else
            found[#found + 1] = { tonumber(fields[7]) or 0, tonumber(fields[3]) or 0, member }
        end
    end
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', VOID, '-inf', now, 'LIMIT', 0, 1000)) do
        local key = key_of(member)
        local fields = read(key, 'f', 'q', 'g', 'c')
        if fields then
            end_superseded(key, fields)
        else
            redis.call('ZREM', VOID, member)
        end
    end
    table.sort(found, function(one, other)
        if one[1] == other[1] then
            return one[2] < other[2]
        end
        return one[1] < other[1]
    end)
    return found
end

local function take(member)
    local key = key_of(member)
    local place = of_key(key)
    local fields = redis.pcall('HMGET', place, 's', 't', 'a', 'w', 'g', 'n', 'p', 'm', 'd')
    if fields.err then
        set_aside(key, 'its key holds something else than a hash')
        return
    end
    local state, task, arguments, when, generation = unpack(fields, 1, 5)
    local delivery = (tonumber(fields[9] or '0') or 0) + 1
    local complete = state and task and arguments and tonumber(when) and tonumber(generation)
    if not complete or not tonumber(fields[6] or '1') then
        set_aside(key, 'fields are missing or are no numbers')
        return
    end
    local fence = whole(take_number())
    redis.call('HSET', place, 's', 'r', 'f', fence, 'd', whole(delivery), 'k', worker, 'b', now)
    leased[#leased + 1] = whole(expiry)
    leased[#leased + 1] = member
    changed(key)
    claims[#claims + 1] = {
        key, task, arguments, when, fields[6] or '1', generation, fields[7] or '', fields[8] or '',
        whole(delivery), fence,
    }
end

local function each_hundred(verb, set, values)
    for i = 1, #values, 100 do
        redis.call(verb, set, unpack(values, i, math.min(i + 99, #values)))
    end
end

local function take_from_due(member)
    taken_from_due[#taken_from_due + 1] = member
    take(member)
end

local function claim(takeovers, waiting)
    local i, j = 1, 1
    while #claims < limit and (i <= #takeovers or j <= #waiting) do
        local over = takeovers[i]
        if over and (j > #waiting or tonumber(waiting[j + 1]) >= over[1]) then
            i = i + 1
            local before = #claims
            take(over[3])
            if #claims == before then
                redis.call('ZREM', LEASED, over[3])
            end
        else
            take_from_due(waiting[j])
            j = j + 2
        end
    end
end

-- Read from the execution itself: a score is a double, which is too coarse after the year 2255.
local function first_due()
    while true do
        local member = redis.call('ZRANGE', DUE, 0, 0)[1]
        if not member then
            return ''
        end
        local fields = read(key_of(member), 'w')
        if fields and tonumber(fields[3]) then
            return fields[3]
        end
        set_aside(key_of(member), 'it has no due time')
        redis.call('ZREM', DUE, member)
    end
end

local function first(set)
    local score = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
    return score and tonumber(score) or math.huge
end

forget(1000)
local takeovers = expired()
local waiting = {}
if limit > 0 then
    waiting = redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
    reserve(math.min(limit, #takeovers + #waiting / 2))
end
claim(takeovers, waiting)
each_hundred('ZREM', DUE, taken_from_due)
each_hundred('ZADD', LEASED, leased)

local next_due = first_due()
local next_expiry = math.min(first(LEASED), first(VOID))
if #claims > 0 then
    ring(expiry, worker) -- the others learn when to look whether this worker is still alive
end
if #claims < limit then -- this worker is about to sleep until then
    arm(math.min(tonumber(next_due) or math.huge, next_expiry))
end
tell_if_drained()
next_expiry = next_expiry < math.huge and whole(next_expiry) or ''
return { now, notices, aside, claims, next_due, next_expiry, outstanding() }
