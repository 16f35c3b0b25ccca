// The smallest program of commander that reads one object from S3 and prints a line:
// bare-s3.mjs hello <endpoint> <bucket> <key>.
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Command } from 'commander';

const program = new Command('bare');
program
  .command('hello')
  .description('say hello')
  .argument('<endpoint>')
  .argument('<bucket>')
  .argument('<key>')
  .action(async (endpoint, bucket, key) => {
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    await Body.transformToString();
    client.destroy();
    console.log('hello');
  });
await program.parseAsync();
