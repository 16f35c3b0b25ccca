// Keeps streams of the public status open, and tells when all have got an event: node status-readers.mjs <port> <count>
import { connect } from 'node:net';
import { getMonotonicMs } from '../tools/monotonic-clock.mjs';

const [, , port, count] = process.argv.map(Number);
/** So many connections are opened at the same time. */
const BATCH = 200;
const REQUEST = 'GET /maintenance-status/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n';

let received = 0;
let expected = count;

for (let opened = 0; opened < count; opened += BATCH) {
  await Promise.all(Array.from({ length: Math.min(BATCH, count - opened) }, open));
}

async function open() {
  await new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(REQUEST));
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      const events = chunk.toString('latin1').split('data: ').length - 1;
      if (events === 0) return;
      resolve();
      received += events;
      if (received < expected) return;
      expected += count;
      process.send({ at: getMonotonicMs() });
    });
  });
}
