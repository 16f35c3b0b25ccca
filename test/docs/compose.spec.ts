import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';

interface Compose {
  services: Record<
    string,
    { environment?: Record<string, string>; volumes?: string[]; depends_on?: string[]; [key: string]: unknown }
  >;
  volumes: Record<string, null>;
}

const page = readFileSync(resolve(__dirname, '../../docs/docker.md'), 'utf8');
const files = [...page.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, text]) => parse(text!) as Compose);
/** The keys of the Compose specification that the guide uses. */
const SERVICE_KEYS = [
  'build',
  'command',
  'depends_on',
  'environment',
  'healthcheck',
  'image',
  'init',
  'ports',
  'stop_grace_period',
  'volumes',
];

describe('the compose files in docs/docker.md', () => {
  it.each(files)(
    'refer only to services and volumes that they declare, by known keys (%#)',
    ({ services, volumes }) => {
      for (const service of Object.values(services)) {
        expect(SERVICE_KEYS).toEqual(expect.arrayContaining(Object.keys(service)));
        expect(Object.keys(services)).toEqual(expect.arrayContaining(service.depends_on ?? []));
        const mounted = (service.volumes ?? []).map((volume) => volume.split(':')[0]!);
        expect(Object.keys(volumes)).toEqual(expect.arrayContaining(mounted));
      }
    },
  );

  it('keep the state where every container finds it', () => {
    const storages = files.map(({ services }) => services.shop!.environment!.MAINTENANCE_STORAGE);
    expect(storages).toEqual(['redis://redis:6379/0', 'file:/data/maintenance-state.json']);
    expect(files[1]!.services.shop!.volumes).toEqual(['maintenance:/data']);
  });
});
