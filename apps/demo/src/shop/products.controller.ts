import { Body, Controller, Get, HttpCode, Param, ParseIntPipe, Post } from '@nestjs/common';
import { MaintenanceAccess } from 'nestjs-maintenance';
import { Catalogue, type Product } from './catalogue.js';

@Controller('api/products')
export class ProductsController {
  constructor(private readonly catalogue: Catalogue) {}

  @Get()
  list(): readonly Product[] {
    return this.catalogue.all();
  }

  @Get(':id')
  one(@Param('id', ParseIntPipe) id: number): Product {
    return this.catalogue.find(id);
  }

  /** A POST that changes nothing: it goes on while the shop is read-only. */
  @MaintenanceAccess('read')
  @Post('search')
  @HttpCode(200)
  search(@Body() body: unknown): Product[] {
    const { words } = (body ?? {}) as { words?: unknown };
    return this.catalogue.search(typeof words === 'string' ? words : '');
  }
}
