// Prints the products that are added, and subscribes again after a maintenance window.
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const client = createClient({
  url: process.env.URL ?? 'ws://localhost:3000/graphql',
  webSocketImpl: WebSocket,
  // During a full window, the server refuses connections, which the client would not try again.
  retryAttempts: Infinity,
  shouldRetry: () => true,
  on: { connected: () => console.log('connected') },
});

for (;;) {
  try {
    for await (const { data, errors } of client.iterate({ query: 'subscription { productAdded { name } }' })) {
      if (errors) throw errors;
      console.log(`added: ${data.productAdded.name}`);
    }
  } catch ([error]) {
    const { errorCode, retryAfter } = error.extensions ?? {};
    console.log(`refused: ${error.message} (${errorCode}, ${retryAfter} s)`);
  }
  await pause(1000);
}
