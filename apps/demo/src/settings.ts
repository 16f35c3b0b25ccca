/** What the environment says about the demo itself; everything else is read by the modules that it concerns. */
export interface Settings {
  adapter: 'express' | 'fastify';
  port: number;
  host: string;
}

/** @throws Error with a sentence for a person */
export function settingsFrom(environment: NodeJS.ProcessEnv): Settings {
  const { ADAPTER: adapter = '', PORT: port = '', HOST: host = '' } = environment;
  if (!['', 'express', 'fastify'].includes(adapter)) {
    throw new Error(`ADAPTER must be express or fastify, not "${adapter}".`);
  }
  if (!/^\d{0,5}$/.test(port) || Number(port) > 65535) throw new Error(`PORT must be 0 to 65535, not "${port}".`);
  return {
    adapter: adapter === 'fastify' ? 'fastify' : 'express',
    port: port === '' ? 3000 : Number(port),
    // The token of the demo is known to everybody, so only this machine gets in unless you say otherwise.
    host: host || '127.0.0.1',
  };
}
