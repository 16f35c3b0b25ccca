import type { PageTexts } from '../page-texts.js';

export const japanese: PageTexts = {
  title: 'メンテナンス中です',
  message: 'ただいまメンテナンス中です。しばらくしてからもう一度お試しください。',
  readOnlyTitle: '現在は閲覧のみ可能です',
  readOnlyMessage: 'メンテナンス中は閲覧のみ可能です。変更は終了までお待ちください。',
  readOnlyNote:
    '閲覧は引き続きご利用いただけます。現在は変更のみ受け付けていません。先ほど送信された内容は保存されていません。ブラウザーの「戻る」ボタンで元の画面に戻れます。',
  expectedEnd: '終了予定',
  timeLeft: '残り時間',
  anyMoment: 'まもなく',
  returnsByItself: 'メンテナンスが終わると、このページは自動的に元に戻ります。',
  tryAgain: '再試行',
  continueReading: '閲覧を続ける',
  support: 'サポートに問い合わせる',
  status: 'サービスの稼働状況',
  endChanged: '終了予定が変更されました。',
  opening: 'ページを開いています。',
  acceptedAgain: '変更は再び受け付けられるはずです。',
  unavailable: 'サービスを利用できません',
};
