-- claim(now, ttl, server_ttl, worker, limit, lease)
--
-- Answers with what was claimed, the earliest due time and expiry, and how much is outstanding.

limit = tonumber(limit)
local expiry = whole(NOW + tonumber(lease))
local claims = {}

-- The execution that `member` of `set` stands for, or false when it stands for none; then it is dropped.
local function fields_of(set, member)
    local key, reported = key_of(member), #aside
    local fields = read_call(key)
    if not fields then
        drop(set, member)
        if #aside == reported then
            report_aside(key, 'it has an entry, and nothing else')
        end
        return false
    end
    return is_entry(set, member, key, fields) and fields
end

-- End what nobody is to take over, and return the rest: {when, fence, member}, the longest due first.
local function expired()
    local found = {}
    for _, set in ipairs({ LEASED, VOID }) do
        for _, member in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, 1000)) do
            local key = key_of(member)
            local fields = fields_of(set, member)
            if fields and fields[STATE] ~= 'r' then
                end_superseded(key, fields)
            elseif fields and fields[CANCELLED] then
                finish(key, fields, 'x')
            elseif fields then
                local when = is_time(fields[WHEN]) and tonumber(fields[WHEN]) or 0
                local fence = is_count(fields[FENCE]) and tonumber(fields[FENCE]) or 0
                found[#found + 1] = { when, fence, member }
            end
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

-- Whether Python can read and write it: a foreign hand may have used bytes that are no UTF-8.
local function is_text(key)
    if not string.find(key, '[\128-\255]') then
        return true
    end
    local rest = string.gsub(key, '[\194-\223][\128-\191]', '-')
    rest = string.gsub(rest, '[\224-\239][\128-\191][\128-\191]', '-')
    rest = string.gsub(rest, '[\240-\244][\128-\191][\128-\191][\128-\191]', '-')
    return not string.find(rest, '[\128-\255]')
end

local function take(set, member)
    local key = key_of(member)
    local fields = fields_of(set, member)
    if not fields then
        return
    end
    drop(set, member)
    if not (is_call(fields) and is_text(key)) then
        set_aside(key, 'fields are missing, or are no numbers; or its key is no text')
        return
    end
    local fence = whole(take_number())
    local before = fields[DELIVERY]
    local delivery = before and whole(before + 1) or '1'
    redis.call('HSET', of_key(key), 's', 'r', 'f', fence, 'd', delivery, 'k', worker, 'b', now)
    put(LEASED, expiry, member)
    changed(key)
    claims[#claims + 1] = {
        key, fields[TASK], fields[ARGUMENTS], fields[WHEN], fields[ATTEMPT] or '1',
        fields[GENERATION], fields[CAUSE] or '', fields[CAUSE_ATTEMPT] or '', delivery, fence,
        is_count(fields[RELEASED]) and fields[RELEASED] or '0',
    }
end

local function claim(takeovers, waiting)
    local i, j = 1, 1
    while #claims < limit and (i <= #takeovers or j <= #waiting) do
        local over = takeovers[i]
        if over and (j > #waiting or tonumber(waiting[j + 1]) >= over[1]) then
            i = i + 1
            take(LEASED, over[3])
        else
            take(DUE, waiting[j])
            j = j + 2
        end
    end
end

-- Read from the execution itself: a score is a double, which is too coarse after the year 2255.
local function first_due()
    while true do
        local member, score = unpack(redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES'))
        if not member then
            return ''
        end
        local fields = fields_of(DUE, member)
        if fields and is_call(fields) then
            local is_late = tonumber(fields[WHEN]) <= NOW and tonumber(score) > NOW
            return is_late and whole(score) or fields[WHEN]
        elseif fields then
            drop(DUE, member)
            set_aside(key_of(member), 'fields are missing, or are no numbers')
        end
        make_changes()
    end
end

local function first(set)
    local score = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
    return score and math.max(0, tonumber(score)) or math.huge
end

forget(1000)
local takeovers = expired()
local waiting = {}
if limit > 0 then
    make_changes() -- what was superseded may be due
    waiting = redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
    if #takeovers + #waiting > 0 then
        reserve(math.min(limit, #takeovers + #waiting / 2))
    end
end
claim(takeovers, waiting)
make_changes()

local next_due = first_due()
local next_expiry = math.min(first(LEASED), first(VOID))
if #claims > 0 then
    ring(tonumber(expiry), worker) -- the others learn when to look whether this worker is alive
end
if #claims < limit then -- this worker is about to sleep until then
    arm(math.min(tonumber(next_due) or math.huge, next_expiry))
end
next_expiry = next_expiry < math.huge and whole(next_expiry) or ''
return answered(claims, next_due, next_expiry, outstanding())
