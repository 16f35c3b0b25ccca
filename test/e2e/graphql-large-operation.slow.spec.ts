import { ADAPTERS, start } from './application.js';
import { CatsResolver, createGraphqlModule } from './graphql/cats.js';

const JSON_TYPE = { 'content-type': 'application/json' };

/** Returns a short unique alias: the query has to fit into the body limit. */
function createAlias(index: number): string {
  return `a${index.toString(36)}`;
}

it.each(ADAPTERS)(
  'decides on an operation with 9,500 fields (%s)',
  async (adapter) => {
    const user = (request: { headers: Record<string, string> }): object => ({ role: request.headers['x-role'] });
    const options = { exempt: { roles: ['staff'], user } };
    const running = await start(adapter, { imports: [createGraphqlModule()], providers: [CatsResolver], options });
    try {
      await running.maintenance.enable();
      const query = `{ ${Array.from({ length: 9_500 }, (_, index) => `${createAlias(index)}:cats`).join(' ')} }`;
      const send = async (headers: Record<string, string>): Promise<number> => {
        const body = JSON.stringify({ query });
        return (await running.call('/graphql', { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body })).status;
      };
      expect(await send({})).toBe(503);
      expect(await send({ 'x-role': 'staff' })).toBe(200);
    } finally {
      await running.close();
    }
  },
  60_000,
);
