// Each script runs as a whole: Redis does nothing else meanwhile. They are sent in full, so that a server which has
// forgotten its scripts, by a restart or a failover, knows them; and each names all keys that it touches, which
// clusters and managed services ask for.

/**
 * KEYS: the state. ARGV: the version expected ('' for none), the new content, the channel, the new version, the most
 * bytes of a state. What is larger has its version from its beginning, as `versionOf` makes it.
 * Gives 1 if it was written, 0 if another version is there, -1 if nothing is.
 */
export const WRITE_SCRIPT = `
local found = redis.call('GET', KEYS[1])
local limit = tonumber(ARGV[5])
local version = ''
if found and #found > limit then version = 'large-' .. redis.sha1hex(string.sub(found, 1, limit + 1))
elseif found then version = redis.sha1hex(found) end
if version ~= ARGV[1] then return found and 0 or -1 end
redis.call('SET', KEYS[1], ARGV[2])
-- What is written is written: whoever may not publish leaves the others to their next read.
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return 1
`;

// The server's clock, so that those of the instances need not agree.
const SERVER_TIME_SNIPPET = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * KEYS: the records, their expiries. ARGV: the id of an instance, its record, milliseconds to live.
 * Keeps the record, and removes those that are over.
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

/** KEYS: the records, their expiries. ARGV: the most bytes of a record. Gives the records that are not over. */
export const READ_REPORTS_SCRIPT = `${SERVER_TIME_SNIPPET}
local records = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf')) do
  local record = redis.call('HGET', KEYS[1], id)
  if record and #record <= tonumber(ARGV[1]) then records[#records + 1] = record end
end
return records
`;
