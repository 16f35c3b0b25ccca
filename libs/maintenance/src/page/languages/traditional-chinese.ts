import type { PageTexts } from '../page-texts.js';

export const traditionalChinese: PageTexts = {
  title: '系統維護中',
  message: '服務正在維護，請稍後再試。',
  readOnlyTitle: '暫時唯讀',
  readOnlyMessage: '維護期間服務僅供讀取。瀏覽不受影響，變更請稍後再試。',
  readOnlyNote: '您可以繼續瀏覽。目前只是暫不接受變更：您剛才送出的內容沒有儲存，按瀏覽器的「上一頁」按鈕即可返回。',
  expectedEnd: '預計結束時間',
  timeLeft: '剩餘時間',
  anyMoment: '即將結束',
  returnsByItself: '維護結束後，本頁面會自動恢復。',
  tryAgain: '重試',
  continueReading: '繼續瀏覽',
  support: '聯絡客服',
  status: '服務狀態',
  endChanged: '預計結束時間已變更。',
  opening: '正在開啟頁面。',
  acceptedAgain: '現在應該可以再次送出變更了。',
  unavailable: '服務無法使用',
};
