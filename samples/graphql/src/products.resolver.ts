import { Args, Mutation, Query, Resolver, Subscription } from '@nestjs/graphql';
import { PubSub } from 'graphql-subscriptions';
import { Product } from './product.model.js';

/** No line for maintenance mode: a read-only window admits queries and subscriptions, a full one nothing. */
@Resolver(() => Product)
export class ProductsResolver {
  private readonly products: Product[] = [{ id: '1', name: 'Chair' }];
  private readonly events = new PubSub();

  @Query(() => [Product], { name: 'products' })
  findAll() {
    return this.products;
  }

  @Mutation(() => Product)
  async addProduct(@Args('name') name: string) {
    const product = { id: String(this.products.length + 1), name };
    this.products.push(product);
    await this.events.publish('productAdded', { productAdded: product });
    return product;
  }

  @Subscription(() => Product)
  productAdded() {
    return this.events.asyncIterableIterator('productAdded');
  }
}
