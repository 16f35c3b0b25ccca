// Redis runs each script atomically. Scripts are sent in full, because a server forgets cached ones with a restart or a
// failover; and each declares all keys that it uses, because clusters and managed services require it.

/**
 * Writes the state if it has the expected version, and publishes the change.
 *
 * KEYS: the state. ARGV: the expected version ('' for none), the new content, the channel, the new version, the maximum
 * size of a state in bytes. Larger content has a version made from its beginning, as in `RedisStateStorage`.
 * Returns 1 if the state was written, 0 if it has another version, -1 if the key does not exist.
 */
export const WRITE_SCRIPT = `
local found = redis.call('GET', KEYS[1])
local limit = tonumber(ARGV[5])
local version = ''
if found and #found > limit then version = 'large-' .. redis.sha1hex(string.sub(found, 1, limit + 1))
elseif found then version = redis.sha1hex(found) end
if version ~= ARGV[1] then return found and 0 or -1 end
redis.call('SET', KEYS[1], ARGV[2])
-- pcall: without the permission to publish, the other instances see the change with their next poll.
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return 1
`;

// The clock of the server, because those of the instances may differ.
const SERVER_TIME_SNIPPET = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * Stores the report of an instance, and removes expired reports.
 *
 * KEYS: the reports, their expiries. ARGV: the id of the instance, its report, the time to live in milliseconds.
 */
export const WRITE_REPORT_SCRIPT = `${SERVER_TIME_SNIPPET}
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
redis.call('PEXPIREAT', KEYS[1], last)
redis.call('PEXPIREAT', KEYS[2], last)
`;

/**
 * Returns the reports that have not expired.
 *
 * KEYS: the reports, their expiries. ARGV: the maximum size of a report in bytes.
 */
export const READ_REPORTS_SCRIPT = `${SERVER_TIME_SNIPPET}
local reports = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf')) do
  local report = redis.call('HGET', KEYS[1], id)
  if report and #report <= tonumber(ARGV[1]) then reports[#reports + 1] = report end
end
return reports
`;
