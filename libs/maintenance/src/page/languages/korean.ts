import type { PageTexts } from '../page-texts.js';

export const korean: PageTexts = {
  title: '점검 중입니다',
  message: '서비스 점검 중입니다. 잠시 후 다시 시도해 주세요.',
  readOnlyTitle: '지금은 읽기만 가능합니다',
  readOnlyMessage: '점검 중에는 읽기만 가능합니다. 변경은 점검이 끝날 때까지 기다려 주세요.',
  readOnlyNote:
    '계속 읽으실 수 있습니다. 지금은 변경만 받지 않습니다. 방금 보내신 내용은 저장되지 않았으며, 브라우저의 뒤로 버튼으로 돌아가실 수 있습니다.',
  expectedEnd: '종료 예정',
  timeLeft: '남은 시간',
  anyMoment: '곧',
  returnsByItself: '점검이 끝나면 이 페이지가 자동으로 다시 열립니다.',
  tryAgain: '다시 시도',
  continueReading: '계속 읽기',
  support: '고객 지원 문의',
  status: '서비스 상태',
  endChanged: '종료 예정 시간이 변경되었습니다.',
  opening: '페이지를 여는 중입니다.',
  acceptedAgain: '이제 변경이 다시 가능할 것입니다.',
  unavailable: '서비스를 사용할 수 없음',
};
