import { Body, Controller, Get, Head, Post, Version, VERSION_NEUTRAL } from '@nestjs/common';
import { ForceMaintenance, SkipMaintenance } from 'nestjs-maintenance';

@Controller('cats')
export class CatsController {
  @Get()
  list(): string[] {
    return ['Tom'];
  }

  @Get(':name')
  one(): string {
    return 'one cat';
  }

  @Post()
  create(@Body() body: unknown): unknown {
    return { created: body };
  }

  @Head('head')
  head(): void {}
}

@SkipMaintenance()
@Controller('open')
export class OpenController {
  @Get()
  open(): string {
    return 'open';
  }

  @Post()
  post(@Body() body: unknown): unknown {
    return { body };
  }

  @SkipMaintenance(false)
  @Get('undone')
  undone(): string {
    return 'undone';
  }

  @ForceMaintenance()
  @Get('forced')
  forced(): string {
    return 'forced';
  }

  @ForceMaintenance()
  @SkipMaintenance()
  @Get('both')
  both(): string {
    return 'both';
  }
}

@ForceMaintenance()
@Controller('closed')
export class ClosedController {
  @Get()
  closed(): string {
    return 'closed';
  }

  @SkipMaintenance()
  @Get('open')
  open(): string {
    return 'open';
  }
}

@Controller('mixed')
export class MixedController {
  @SkipMaintenance()
  @Get()
  read(): string {
    return 'read';
  }

  @Post()
  write(): string {
    return 'written';
  }
}

@Controller('probe')
export class ProbeLikeController {
  @Get()
  probe(): string {
    return 'probe';
  }
}

@Controller()
export class HealthController {
  @Get('health')
  health(): string {
    return 'healthy';
  }

  @Post('health')
  heal(): string {
    return 'healed';
  }

  @Get('admin')
  admin(): string {
    return 'admin';
  }
}

@Controller({ path: 'dogs', version: '1' })
export class DogsV1Controller {
  @Get()
  list(): string {
    return 'dogs 1';
  }
}

@SkipMaintenance()
@Controller({ path: 'dogs', version: '2' })
export class DogsV2Controller {
  @Get()
  list(): string {
    return 'dogs 2';
  }
}

@Controller({ path: 'birds', version: VERSION_NEUTRAL })
export class BirdsController {
  @Get()
  list(): string {
    return 'birds';
  }

  @Version('3')
  @Get('three')
  three(): string {
    return 'birds 3';
  }
}

@Controller({ path: 'hosted', host: 'a.example.com' })
export class HostController {
  @Get()
  hosted(): string {
    return 'hosted';
  }
}

abstract class Inherited {
  @Get('inherited')
  inherited(): string {
    return this.constructor.name;
  }
}

@Controller('inherits-closed')
export class InheritsClosedController extends Inherited {}

@SkipMaintenance()
@Controller('inherits-open')
export class InheritsOpenController extends Inherited {}
