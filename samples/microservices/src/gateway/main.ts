import { Logger } from '@nestjs/common';
import { HttpAdapterHost, NestFactory } from '@nestjs/core';
import { GatewayModule } from './gateway.module.js';
import { RefusalFilter } from './refusal.filter.js';

const app = await NestFactory.create(GatewayModule);
app.useGlobalFilters(new RefusalFilter(app.get(HttpAdapterHost).httpAdapter));
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
new Logger('Sample').log(`Listening on ${await app.getUrl()}`);
