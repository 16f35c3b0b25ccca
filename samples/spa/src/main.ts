import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { join } from 'node:path';
import { AppModule } from './app.module.js';

const app = await NestFactory.create<NestExpressApplication>(AppModule);
app.setGlobalPrefix('api');
// Registered before Nest initializes, so the files are sent during maintenance, too: the page itself tells its users.
app.useStaticAssets(join(import.meta.dirname, 'web'));
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
new Logger('Sample').log(`Listening on ${await app.getUrl()}`);
