import { credentials, loadPackageDefinition, type Client, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { PROTO } from './rpc-application.js';

type Method = (...args: unknown[]) => Stream;

interface Stream {
  on(event: string, listener: (value: never) => void): Stream;
  write(item: object): void;
  end(): void;
}

/** The result of a call: the items of the response, or the error status. */
export type Outcome =
  { items: string[] } | { code: number; details: string; retryAfter?: string; mode?: string; errorCode?: string };

/** A client of the service in `shop.proto`, on one connection. */
export class GrpcClient {
  readonly #client: Client & Record<string, Method>;

  constructor(url: string) {
    const { shop } = loadPackageDefinition(loadSync(PROTO)) as unknown as {
      shop: { Shop: new (url: string, credentials: unknown) => Client & Record<string, Method> };
    };
    this.#client = new shop.Shop(url, credentials.createInsecure());
  }

  close(): void {
    this.#client.close();
  }

  /** Calls a unary or streaming method with one item. */
  call(method: string, name = 'teapot'): Promise<Outcome> {
    const takesStream = ['Chat', 'Collect', 'Pour', 'Fill'].includes(method);
    const givesStream = ['Watch', 'Chat', 'Pour'].includes(method);
    return new Promise((resolve) => {
      const items: string[] = [];
      const failed = ({ code, details, metadata }: ServiceError): void => {
        const [retryAfter, mode, errorCode] = ['retry-after', 'maintenance-mode', 'error-code'].map(
          (key) => metadata.get(key)[0] as string | undefined,
        );
        resolve({ code, details, retryAfter, mode, errorCode });
      };
      const answered = (error: ServiceError | null, item: { name: string }): void =>
        error ? failed(error) : resolve({ items: [item.name] });
      const request = takesStream ? [] : [{ name }];
      const call = this.#client[method]!(...request, ...(givesStream ? [] : [answered]));
      if (givesStream) {
        call.on('data', (item: { name: string }) => items.push(item.name));
        call.on('error', failed);
        call.on('end', () => resolve({ items }));
      }
      if (!takesStream) return;
      call.write({ name });
      call.end();
    });
  }
}
