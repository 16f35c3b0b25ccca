import { Global, Inject, Logger, Module, type OnApplicationShutdown } from '@nestjs/common';
import { createClient } from 'redis';

export const REDIS = Symbol('redis');
export type RedisClient = ReturnType<typeof createClient>;

/** One client for the queues and for the state of maintenance. Both open further connections with its settings. */
@Global()
@Module({
  providers: [
    {
      provide: REDIS,
      useFactory: () =>
        createClient({ url: process.env.REDIS_URL ?? 'redis://localhost:6379' })
          // Without a listener, a lost connection would end the process.
          .on('error', ({ message }: Error) => new Logger('Redis').error(message))
          .connect(),
    },
  ],
  exports: [REDIS],
})
export class RedisModule implements OnApplicationShutdown {
  constructor(@Inject(REDIS) private readonly client: RedisClient) {}

  async onApplicationShutdown(): Promise<void> {
    await this.client.close();
  }
}
