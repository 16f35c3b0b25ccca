import type { PageTexts } from '../page-texts.js';

export const simplifiedChinese: PageTexts = {
  title: '系统维护中',
  message: '服务正在维护，请稍后再试。',
  readOnlyTitle: '暂时只读',
  readOnlyMessage: '维护期间服务只能读取。浏览不受影响，修改请稍后再试。',
  readOnlyNote: '您可以继续浏览。目前只是暂不接受修改：您刚才提交的内容没有保存，点击浏览器的“后退”按钮即可返回。',
  expectedEnd: '预计结束时间',
  timeLeft: '剩余时间',
  anyMoment: '即将结束',
  returnsByItself: '维护结束后，本页面会自动恢复。',
  tryAgain: '重试',
  continueReading: '继续浏览',
  support: '联系客服',
  status: '服务状态',
  endChanged: '预计结束时间已更改。',
  opening: '正在打开页面。',
  acceptedAgain: '现在应该可以再次提交修改了。',
  unavailable: '服务不可用',
};
