// Requests as fast as they are answered. Each message says where to; the answer says what came of it.
import autocannon from 'autocannon';

process.on('message', async ({ url, headers, seconds, connections }) => {
  const latencies = [];
  const running = autocannon({ url, headers, duration: seconds, connections });
  // autocannon's own histogram knows whole milliseconds only.
  running.on('response', (_client, _status, _bytes, latency) => latencies.push(latency));
  // Whoever sleeps has to be woken, and the application would pay for it.
  let isOver = false;
  const stayAwake = () => isOver || setImmediate(stayAwake);
  stayAwake();
  const { requests, duration, errors, timeouts, statusCodeStats } = await running;
  isOver = true;
  latencies.sort((a, b) => a - b);
  process.send({
    perSecond: requests.total / duration,
    requests: requests.total,
    p50: latencies[Math.floor(latencies.length * 0.5)],
    p99: latencies[Math.floor(latencies.length * 0.99)],
    failures: errors + timeouts,
    statuses: Object.keys(statusCodeStats).map(Number),
  });
});
process.on('disconnect', () => process.exit());
