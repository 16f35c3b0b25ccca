// Records the ES modules that a program loads: node --import ./record-modules.mjs <program>
import { createRequire, register } from 'node:module';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';

const HOOKS = `
let port;
export const initialize = (data) => void ({ port } = data);
export const load = (url, context, next) => (port.postMessage(url), next(url, context));
`;
const { port1, port2 } = new MessageChannel();
port1.unref();
register(`data:text/javascript,${encodeURIComponent(HOOKS)}`, { data: { port: port2 }, transferList: [port2] });

const recorded = new Set();

/** Returns the URLs of the ES modules and the paths of the CommonJS files that were loaded so far. */
globalThis.listLoadedFiles = () => {
  for (let message; (message = receiveMessageOnPort(port1));) recorded.add(message.message);
  return [...recorded, ...Object.keys(createRequire(import.meta.url).cache)];
};
