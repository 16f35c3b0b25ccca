import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Post, Res } from '@nestjs/common';
import { ServeStaticModule } from '@nestjs/serve-static';
import { SkipMaintenance } from 'nestjs-maintenance';
import { TIMEOUT_MS } from '../tools/waiting.js';
import { ATTACKS } from './attacks.js';
import { ADAPTERS, start, type Running } from './application.js';

/** Handlers that ran although they should have been refused. */
const ran: string[] = [];

@Controller()
class ShopController {
  @Get('cats')
  cats(): string {
    ran.push('cats');
    return 'SECRET';
  }

  @Post('cats')
  create(): string {
    ran.push('create');
    return 'SECRET';
  }

  @Get('cats/:name')
  cat(): string {
    ran.push('cat');
    return 'SECRET';
  }

  @Get('raw')
  raw(@Res() response: { send: (body: string) => void }): void {
    ran.push('raw');
    response.send('SECRET');
  }

  @Get('open')
  open(): string {
    return 'open';
  }

  @Get('numbers/:number')
  number(): string {
    return 'number';
  }

  @SkipMaintenance()
  @Get('skipped')
  skipped(): string {
    return 'skipped';
  }

  @SkipMaintenance()
  @Post('skipped')
  post(): string {
    return 'skipped';
  }
}

// The condition is never true, but only the guard can evaluate it.
const CONDITIONS = [
  ['middleware and guard', undefined],
  ['guard only', () => false],
] as const;
const CASES = ADAPTERS.flatMap((adapter) => CONDITIONS.map(([name, when]) => [adapter, name, when] as const));

describe.each(CASES)('bypass attempts (%s, %s)', (adapter, _name, when) => {
  let running: Running;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'assets-'));
    writeFileSync(join(folder, 'secret.txt'), 'SECRET');
    writeFileSync(join(folder, 'open.txt'), 'open');
    running = await start(adapter, {
      options: {
        adminToken: 'the-token-of-the-test',
        exempt: {
          urls: ['/open', '/docs/{*rest}', /\/numbers\/\d+/, '/assets/open.txt'],
          ips: ['203.0.113.0/24'],
          ...(when && { when }),
        },
      },
      extras: { admin: true },
      imports: [
        ServeStaticModule.forRoot({ rootPath: folder, serveRoot: '/assets', serveStaticOptions: { index: false } }),
      ],
      controllers: [ShopController],
    });
    await running.maintenance.enable();
  });
  beforeEach(() => {
    ran.length = 0;
  });
  afterAll(async () => {
    await running.close();
    rmSync(folder, { recursive: true });
  });

  it('covers at least 150 different attacks', () => {
    expect(ATTACKS.length).toBeGreaterThanOrEqual(150);
    expect(new Set(ATTACKS.map(({ bytes }) => bytes)).size).toBe(ATTACKS.length);
  });

  it.each(
    ATTACKS.map(
      ({ bytes, expect }, index) => [`${index + 1} ${JSON.stringify(bytes).slice(0, 120)}`, bytes, expect] as const,
    ),
  )('admits only exempt requests in attack %s', async (_title, bytes, expected) => {
    const answer = await send(bytes);
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
    const final = statuses.filter((status) => status !== 100);
    // A connection that is closed without a response has revealed nothing.
    if (final.length > 0 || !expected.some((allowed) => allowed.includes(400))) {
      expect({ statuses: final, isAllowed: isAllowed(final, expected, when !== undefined) }).toEqual({
        statuses: final,
        isAllowed: true,
      });
    }
    expect(ran).toEqual([]);
    expect(answer).not.toContain('SECRET');
    expect((await running.call('/cats')).status).toBe(503);
  });

  /** Sends the bytes and returns everything that the server sends until it ends the connection. */
  async function send(bytes: string): Promise<string> {
    const socket = connect(running.port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.on('error', () => undefined);
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no end')));
    socket.write(Buffer.from(bytes, 'latin1'));
    await once(socket, 'close');
    return answer;
  }
});

/** Whether the statuses are expected. If only the guard can decide, errors of the body parser are too. */
function isAllowed(statuses: number[], expected: number[][], isGuardOnly: boolean): boolean {
  const parsers = isGuardOnly ? [400, 415] : [];
  return (
    statuses.length === expected.length &&
    expected.every((allowed, index) => [...allowed, ...parsers].includes(statuses[index]!))
  );
}
