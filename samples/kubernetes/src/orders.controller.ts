import { Body, Controller, Get, Post } from '@nestjs/common';
import { Database } from './database.js';

@Controller('orders')
export class OrdersController {
  constructor(private readonly database: Database) {}

  @Get()
  async list(): Promise<unknown[]> {
    const { rows } = await this.database.query<{ item: string }>('SELECT item FROM orders ORDER BY id');
    return rows;
  }

  @Post()
  async create(@Body('item') item: string): Promise<void> {
    await this.database.query('INSERT INTO orders (item) VALUES ($1)', [item]);
  }
}
