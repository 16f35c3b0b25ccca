import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { patchMethod } from '../../utils/patch-method.js';
import type { RpcServer } from './rpc-server.interface.js';

/** A handler that Nest has added to a server. */
export interface Registration {
  pattern: unknown;
  isEvent: boolean;
  /**
   * Whether Nest has read the global guards of the application just before, as it does when it creates a static
   * handler.
   */
  hasReadGlobalGuards: boolean;
}

/** The dependencies of {@link RpcServerWatcher}. */
export interface RpcServerWatcherDeps {
  modules: ModulesContainer;
  config: ApplicationConfig;
  /**
   * Called for each server before it has handlers. The registrations are those of the server so far. When a handler is
   * added, its own registration is included.
   *
   * @returns functions that undo the preparation
   */
  prepareServer: (server: RpcServer, registrations: readonly Registration[]) => (() => void)[];
  /** Called when a server starts to listen, which is when it has all its handlers. */
  onListen: (server: RpcServer, registrations: readonly Registration[]) => void;
}

/**
 * Follows the microservice servers of the application, standalone or connected, existing or future ones: records the
 * handlers that Nest adds to each.
 */
export class RpcServerWatcher {
  readonly #undo: (() => void)[] = [];
  #hasReadGlobalGuards = false;

  constructor(private readonly deps: RpcServerWatcherDeps) {}

  attach(): void {
    const { config, modules } = this.deps;
    this.#undo.push(
      patchMethod(config, 'getGlobalGuards', (getGlobalGuards) => () => {
        // Nest creates a handler and adds it in the same turn. A read in an earlier turn belongs to something else.
        if (!this.#hasReadGlobalGuards) queueMicrotask(() => (this.#hasReadGlobalGuards = false));
        this.#hasReadGlobalGuards = true;
        return getGlobalGuards();
      }),
    );
    const subscription = modules.getRpcTargetRegistry<RpcServer>().subscribe((server) => this.#addServer(server));
    this.#undo.push(() => subscription.unsubscribe());
  }

  /** Restores the servers, and stops following new ones. */
  detach(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #addServer(server: RpcServer): void {
    const registrations: Registration[] = [];
    this.#hasReadGlobalGuards = false;
    this.#undo.push(
      ...this.deps.prepareServer(server, registrations),
      patchMethod(server, 'addHandler', (add) => (pattern, callback, isEvent = false, ...rest) => {
        registrations.push({ pattern, isEvent, hasReadGlobalGuards: this.#hasReadGlobalGuards });
        this.#hasReadGlobalGuards = false;
        return add(pattern, callback, isEvent, ...rest);
      }),
      patchMethod(server, 'listen', (listen) => (...args) => {
        this.deps.onListen(server, registrations);
        return listen(...args);
      }),
    );
  }
}
