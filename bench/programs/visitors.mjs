// Visitors who ask again as soon as they have an answer: each message names the ports and the seconds, the answer says what came back.
import autocannon from 'autocannon';

process.on('message', async ({ ports, seconds, connections }) => {
  const visits = ports.map((port) =>
    autocannon({
      url: `http://127.0.0.1:${port}/`,
      connections,
      duration: seconds,
      headers: { accept: 'application/json' },
    }),
  );
  const answers = {};
  for (const { statusCodeStats, errors, timeouts } of await Promise.all(visits)) {
    for (const [status, { count }] of Object.entries(statusCodeStats)) answers[status] = (answers[status] ?? 0) + count;
    if (errors + timeouts > 0) answers.none = (answers.none ?? 0) + errors + timeouts;
  }
  process.send(answers);
});
process.on('disconnect', () => process.exit());
