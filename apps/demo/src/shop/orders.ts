import { BadRequestException, Injectable } from '@nestjs/common';
import { Catalogue, type Product } from './catalogue.js';

export interface Order {
  number: number;
  product: Product;
  quantity: number;
  /** In cents. */
  total: number;
  isPaid: boolean;
}

/** Keeps orders in memory until the demo stops. */
@Injectable()
export class Orders {
  readonly #orders: Order[] = [];

  constructor(private readonly catalogue: Catalogue) {}

  /** Places an order from JSON or from a form, in which numbers are strings. */
  place(input: unknown): Order {
    const { product, quantity = 1 } = (input ?? {}) as { product?: unknown; quantity?: unknown };
    const count = Number(quantity);
    if (!Number.isInteger(count) || count < 1 || count > 99)
      throw new BadRequestException('quantity must be an integer from 1 to 99.');
    const found = this.catalogue.find(Number(product));
    const number = 1001 + this.#orders.length;
    const order = { number, product: found, quantity: count, total: found.price * count, isPaid: false };
    this.#orders.push(order);
    return order;
  }

  pay(input: unknown): Order {
    const { order: number } = (input ?? {}) as { order?: unknown };
    const order = this.#orders.find((candidate) => candidate.number === Number(number));
    if (!order) throw new BadRequestException('order must be the number of an existing order.');
    order.isPaid = true;
    return order;
  }
}
