/** Settings of the demo itself. The modules read their own variables. */
export interface Settings {
  adapter: 'express' | 'fastify';
  port: number;
  host: string;
}

/**
 * Parses the settings of the demo from environment variables.
 *
 * @throws Error that names the invalid variable and its value
 */
export function parseSettings(environment: NodeJS.ProcessEnv): Settings {
  const { ADAPTER: adapter = '', PORT: port = '', HOST: host = '' } = environment;
  if (!['', 'express', 'fastify'].includes(adapter)) {
    throw new Error(`ADAPTER must be express or fastify, not "${adapter}".`);
  }
  if (!/^\d{0,5}$/.test(port) || Number(port) > 65535) throw new Error(`PORT must be 0 to 65535, not "${port}".`);
  return {
    adapter: adapter === 'fastify' ? 'fastify' : 'express',
    port: port === '' ? 3000 : Number(port),
    // The admin token is public, so the demo listens only on this machine by default.
    host: host || '127.0.0.1',
  };
}
