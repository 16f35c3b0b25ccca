import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { MaintenanceModule } from 'nestjs-maintenance';
import { RedisStateStorage } from 'nestjs-maintenance/redis';
import { MailsController } from './mails.controller.js';
import { AlarmProcessor, MailProcessor, Outbox } from './processors.js';
import { REDIS, RedisModule, type RedisClient } from './redis.module.js';

@Module({
  imports: [
    RedisModule,
    BullModule.forRootAsync({ inject: [REDIS], useFactory: (connection: RedisClient) => ({ connection }) }),
    BullModule.registerQueue({ name: 'mails' }, { name: 'alarms' }),
    MaintenanceModule.forRootAsync({
      inject: [REDIS],
      useFactory: (client: RedisClient) => ({
        background: { pause: true },
        storage: new RedisStateStorage({ client, key: 'sample' }),
      }),
    }),
  ],
  controllers: [MailsController],
  providers: [Outbox, MailProcessor, AlarmProcessor],
})
export class AppModule {}
