import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Pool } from 'pg';

@Injectable()
export class Database extends Pool implements OnApplicationShutdown {
  constructor() {
    super({ connectionString: process.env.DATABASE_URL });
    // Without a listener, a lost connection would end the process.
    this.on('error', ({ message }) => new Logger('Database').error(message));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.end();
  }
}
