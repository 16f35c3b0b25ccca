import { Body, Controller, Get, HttpCode, Post, Render } from '@nestjs/common';
import { SkipMaintenance } from 'nestjs-maintenance';
import { Catalogue } from '../shop/catalogue.js';
import { Orders } from '../shop/orders.js';

/** HTML pages. The banner in their layout uses the variables that the library adds to views. */
@Controller()
export class PagesController {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly orders: Orders,
  ) {}

  @Get()
  @Render('shop')
  shop(): object {
    return { title: 'Corner shop', products: this.catalogue.all() };
  }

  @SkipMaintenance()
  @Get('status')
  @Render('status')
  status(): object {
    return { title: 'Status' };
  }

  @Post('orders')
  @HttpCode(200)
  @Render('ordered')
  order(@Body() body: unknown): object {
    return { title: 'Thank you', order: this.orders.place(body) };
  }
}
