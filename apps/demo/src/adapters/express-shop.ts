import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from '../app.module.js';
import { renderView, VIEWS } from '../pages/views.js';
import { QuietLogger } from '../quiet-logger.js';

type Done = (error: unknown, html?: string) => void;

/** Creates the shop on Express, whose view engine is a function. */
export async function createExpressShop(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, {
    logger: new QuietLogger(),
    abortOnError: false,
  });
  app.engine('hbs', (path: string, context: object, done: Done) => {
    renderView(path, context).then((html) => done(null, html), done);
  });
  app.setBaseViewsDir(VIEWS);
  app.setViewEngine('hbs');
  return app;
}
