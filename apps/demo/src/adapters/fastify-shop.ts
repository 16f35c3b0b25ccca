import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from '../app.module.js';
import { handlebars, VIEWS } from '../pages/views.js';
import { QuietLogger } from '../quiet-logger.js';

/** Creates the shop on Fastify, whose view engine is the plugin `@fastify/view`. */
export async function createFastifyShop(): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), {
    logger: new QuietLogger(),
    abortOnError: false,
  });
  app.setViewEngine({ engine: { handlebars }, templates: VIEWS, layout: 'layout.hbs', viewExt: 'hbs' });
  return app;
}
