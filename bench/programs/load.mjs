// Sends requests as fast as they are answered: for some seconds, or a certain amount. Each message names the target;
// the reply has the results.
import autocannon from 'autocannon';
import { quantile } from '../tools/statistics.mjs';

process.on('message', async ({ url, headers, requests: variants, seconds, amount, connections }) => {
  const latencies = [];
  // How often autocannon looks whether the amount is reached.
  const sampleInt = amount === undefined ? 1_000 : 50;
  const running = autocannon({ url, headers, requests: variants, duration: seconds, amount, connections, sampleInt });
  // The histogram of autocannon has whole milliseconds only.
  running.on('response', (_client, _status, _bytes, latency) => latencies.push(latency));
  // Does not sleep, so that wake-ups are not charged to the application.
  let isOver = false;
  const stayAwake = () => isOver || setImmediate(stayAwake);
  stayAwake();
  const { requests, throughput, duration, errors, timeouts, statusCodeStats } = await running;
  isOver = true;
  process.send({
    perSecond: requests.total / duration,
    requests: requests.total,
    bytes: throughput.total / requests.total,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    failures: errors + timeouts,
    statuses: Object.keys(statusCodeStats).map(Number),
  });
});
process.on('disconnect', () => process.exit());
