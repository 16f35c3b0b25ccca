import { Injectable, NotFoundException } from '@nestjs/common';

export interface Product {
  id: number;
  name: string;
  text: string;
  /** In cents. */
  price: number;
  image: string;
}

const PRODUCTS: readonly Product[] = [
  { id: 1, name: 'Teapot', text: 'Holds a litre and does not drip.', price: 3400, image: '/assets/teapot.svg' },
  { id: 2, name: 'Lamp', text: 'For reading. Warm light, no blue.', price: 5900, image: '/assets/lamp.svg' },
  { id: 3, name: 'Notebook', text: '160 dotted pages, lies flat.', price: 1250, image: '/assets/notebook.svg' },
  { id: 4, name: 'Stool', text: 'Three legs of ash, never wobbles.', price: 8900, image: '/assets/stool.svg' },
];

@Injectable()
export class Catalogue {
  all(): readonly Product[] {
    return PRODUCTS;
  }

  find(id: number): Product {
    const product = PRODUCTS.find((candidate) => candidate.id === id);
    if (!product) throw new NotFoundException(`Product ${id} not found.`);
    return product;
  }

  search(words: string): Product[] {
    const wanted = words.toLowerCase();
    return PRODUCTS.filter(({ name, text }) => `${name} ${text}`.toLowerCase().includes(wanted));
  }
}
