// Sends requests to instances as fast as they are answered: for some seconds, or a certain amount to each. Each message
// names the ports; the reply counts statuses.
import autocannon from 'autocannon';

process.on('message', async ({ ports, seconds, amount, connections }) => {
  const runs = ports.map((port) =>
    autocannon({
      url: `http://127.0.0.1:${port}/`,
      connections,
      duration: seconds,
      amount,
      headers: { accept: 'application/json' },
    }),
  );
  const counts = {};
  for (const { statusCodeStats, errors, timeouts } of await Promise.all(runs)) {
    for (const [status, { count }] of Object.entries(statusCodeStats)) counts[status] = (counts[status] ?? 0) + count;
    if (errors + timeouts > 0) counts.none = (counts.none ?? 0) + errors + timeouts;
  }
  process.send(counts);
});
process.on('disconnect', () => process.exit());
