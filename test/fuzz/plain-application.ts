import type { AddressInfo } from 'node:net';
import { Module, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { Adapter } from '../e2e/application.js';

export interface PlainApplication {
  port: number;
  close: () => Promise<void>;
}

/** Starts an application without the maintenance module. */
export async function startPlain(
  adapter: Adapter,
  controllers: Type[],
  main: (app: INestApplication) => void,
): Promise<PlainApplication> {
  @Module({ controllers })
  class AppModule {}

  const server = adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(AppModule, server as ExpressAdapter, { logger: false, abortOnError: false });
  main(app);
  await app.listen(0, '127.0.0.1');
  return { port: (app.getHttpServer().address() as AddressInfo).port, close: () => app.close() };
}
